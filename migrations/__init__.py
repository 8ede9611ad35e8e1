"""The revisions of the database, run by `db.prepare_database`, and the move of an installation to another one."""
