"""Migrations of the Brain's database. Never edited once released; a change is a new version."""

HEAD = "v0001"
