#!/bin/sh
# Writes the file of the Dagster instance for the storage that the environment names, and becomes
# the command: a webserver, a daemon, a code server, a run, or any other. A file that somebody else
# has put there, as Dagster's chart for Kubernetes does, is left alone.
set -eu
file="$DAGSTER_HOME/dagster.yaml"
if [ ! -e "$file" ] || head -n 1 "$file" | grep -q "Written by quality-platform"; then
    quality-platform instance
fi
exec "$@"
