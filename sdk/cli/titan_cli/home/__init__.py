"""TITAN_HOME: layout, settings file, ports, pid files. Must never start a process."""
