//! What each answer means, row by row (`CONTRACT.md` section 18).

use super::*;
use crate::domain::{Attempt, Method, Request};
