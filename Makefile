.PHONY: check test types style tables

check: style types test

style:
	ruff check . && ruff format --check .

types:
	mypy

test:
	pytest

tables:
	python -m storygen.tables
