//! Reads only some settings, for commands that need no others.

use super::{Config, ConfigProblems, Database, Fineract, Operations, Role, reader::Reader};

impl Config {
    /// Reads only the settings of the database.
    pub fn read_database(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Database, ConfigProblems> {
        let mut reader = Reader::new(&lookup);
        let database = Database::read(&mut reader);
        reader.finish(database)
    }

    /// Reads only the settings of Fineract and the settings of the operations.
    pub fn read_fineract(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<(Fineract, Operations), ConfigProblems> {
        let mut reader = Reader::new(&lookup);
        let fineract = Fineract::read(&mut reader, Role::Worker);
        let operations = Operations::read(&mut reader);
        reader.finish(fineract.map(|fineract| (fineract, operations)))
    }
}
