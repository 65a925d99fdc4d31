"""Erasure: a person out of every file of the workspace, and a tombstone that keeps the person from returning."""
