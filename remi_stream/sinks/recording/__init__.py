"""Recordings: the journal of a growing one and the files of a finished one."""
