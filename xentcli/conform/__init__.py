"""A battery that judges any implementation of cross-entropy against certified values: README.md says how."""
