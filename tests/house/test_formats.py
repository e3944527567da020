"""Every module that describes bytes has a test that pins them.

A description of bytes is a grammar in the docstring of the module that writes them: two lines or more of the form
`name = parts` or `name := parts`, indented, that are no Python. `PINNED` names the test for each such module, so
whoever invents a format, or moves one, decides here what holds it still.
"""

import ast
import re
from contextlib import suppress

from tests.house.sources import PACKAGES, ROOT, Source, parse, sources

PINNED = {
    "docs_layer/document_codec.py": "tests/docs_layer/test_document_codec.py",
    "docs_layer/index_definitions.py": "tests/docs_layer/test_index_kinds.py",
    "docs_layer/key_encoding/__init__.py": "tests/docs_layer/key_encoding/test_encoders.py",
    "docs_layer/key_encoding/number_order.py": "tests/docs_layer/key_encoding/test_encoders.py",
    "docs_layer/keyspace.py": "tests/docs_layer/test_keyspace.py",
    "docs_layer/stored_conditions.py": "tests/docs_layer/test_stored_conditions.py",
    "docs_layer/page_tokens.py": "tests/docs_layer/test_paging.py",
    "docs_layer/large_values.py": "tests/docs_layer/test_large_values.py",
    "docs_layer/row_codec.py": "tests/formats/test_row_bytes.py",
    "lsm/kernel/blocks.py": "tests/formats/test_table_bytes.py",
    "lsm/kernel/filters.py": "tests/formats/test_table_bytes.py",
    "lsm/kernel/log_entries.py": "tests/formats/test_log_bytes.py",
    "lsm/kernel/log_frames.py": "tests/formats/test_log_bytes.py",
    "lsm/keys.py": "tests/formats/test_log_bytes.py",
    "lsm/manifest.py": "tests/formats/test_manifest_bytes.py",
    "lsm/shared_page.py": "tests/formats/test_log_bytes.py",
    "lsm/sstable/__init__.py": "tests/formats/test_table_bytes.py",
    "lsm/sstable/frame.py": "tests/formats/test_table_bytes.py",
    "lsm/write_ahead_log/header.py": "tests/formats/test_log_bytes.py",
}
RULE = re.compile(r"^ {4}\w[\w *+-]*? +:?= +\S.*$", re.MULTILINE)


def has_grammar(source: Source) -> bool:
    """Tell whether the docstring of a module describes bytes."""
    rules = [line.strip() for line in RULE.findall(ast.get_docstring(source.tree) or "")]
    for line in list(rules):
        with suppress(SyntaxError):
            ast.parse(line)
            rules.remove(line)
    return len(rules) >= 2


def test_every_format_is_pinned() -> None:
    """Modules with a grammar and entries of the list are the same, and the tests exist."""
    described = {source.path for source in sources(*PACKAGES) if has_grammar(source)}

    assert described == set(PINNED)
    assert [path for path in PINNED.values() if not (ROOT / path).is_file()] == []


def test_a_grammar_is_told_from_an_example() -> None:
    """Two rules are a grammar; calls in an example, or one sentence with a sign, are none."""
    grammar = '"""Bytes.\n\n    frame := header body\n    header := u32 size\n\nAll small.\n"""'
    example = '"""Use.\n\n    db = open("x")\n    row = db.get(1)\n    key = value pairs\n\nAll small.\n"""'

    assert has_grammar(parse(grammar))
    assert not has_grammar(parse(example))
    assert not has_grammar(parse("x = 1"))
