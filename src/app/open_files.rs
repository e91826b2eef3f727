//! How many files this process may open. Each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files are left to everything but the connections of callers: the database, Fineract, webhooks, the log.
const OTHERS: u64 = 256;

/// Raises the limit of open files as far as the system allows, and returns how many of these connections there can be.
pub(super) fn room_for(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    let room = room_within(current, connections);
    if room < connections {
        tracing::warn!(
            open_files = current,
            HTTP_MAX_CONNECTIONS = connections,
            "the limit of open files allows only {room} connections"
        );
    }
    room
}

/// How many connections fit into this limit of open files; `None` is no limit. There is always room for some.
fn room_within(open_files: Option<u64>, connections: usize) -> usize {
    let Some(open_files) = open_files else {
        return connections;
    };
    let room = open_files.saturating_sub(OTHERS).max(open_files / 2);
    connections
        .min(room.try_into().unwrap_or(usize::MAX))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_others() {
        for (open_files, connections, expected) in [
            (None, 20_000, 20_000),
            (Some(65_536), 20_000, 20_000),
            (Some(4_096), 20_000, 3_840),
            (Some(300), 20_000, 150),
            (Some(0), 20_000, 1),
        ] {
            let room = room_within(open_files, connections);
            assert_eq!(room, expected, "{open_files:?}");
        }
    }
}
