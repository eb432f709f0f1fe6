"""A battery that judges any implementation of cross-entropy against certified values; see README.md beside this file."""
