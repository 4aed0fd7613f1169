//! Revisions, change logs and cursors shared by the control planes.
