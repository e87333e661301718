"""The audit log: who changed what, written by the database and sealed so that a change of the log is found."""
