"""Uses that mypy and pyright must refuse in strict mode: every line marked `wrong`, and no other."""

from docs_layer import Col, Table, any_, at, col, lower, open_db
from tests.docs_layer.typing.models import Author, Book

db = open_db("library", tables=[Author, Book])
Book(title=5, author_id=1)  # wrong: type of a column
Book(titel="x", author_id=1)  # wrong: unknown column
Book(author_id=1)  # wrong: missing column
Book("x")  # wrong: positional
Book(title="x", author_id=1, books=())  # wrong: a relation is no column
Book.title > 5  # wrong: type of a constant
db.query(Book).where(Book.title == 5)  # wrong: type of a constant
db.query(Book).where(Author.name == "x")  # wrong: column of another table
db.query(Book).where((Book.title == "x") & (Author.name == "x"))  # wrong: column of another table
Book.year.between("a", 3)  # wrong: type of a constant
Book.year.in_(["a"])  # wrong: type of a constant
Book.year.starts_with("2")  # wrong: no text
Book.year.like("2%")  # wrong: no text
Book.title.has("x")  # wrong: no list
Book.tags.has(5)  # wrong: type of an element
db.query(Book).where(any_(Book.tags) == 5)  # wrong: type of an element
lower(Book.year)  # wrong: no text
at(Book.tags, lambda tags: tags.city)  # wrong: nothing of that name inside
db.query(Book).where(any_(Book.tags, Author.name == "x") & (Author.name == "x"))  # wrong: column of another table
row = Book(title="x", author_id=1)
row.title = "y"  # wrong: rows are frozen
row.author = Author(name="x")  # wrong: rows are frozen
row.titel  # wrong: unknown column
Book.titel  # wrong: unknown column
db.query(Book).order_by(-Author.name)  # wrong: column of another table
db.update(Book, 1, Book.year.to("x"))  # wrong: type of a value
db.update(Book, 1, Author.name.to("x"))  # wrong: column of another table
db.query(Book).where(True)  # wrong: no expression
db.insert("x")  # wrong: no row
db.query(str)  # wrong: no table
max_year: int = db.one(Book, 1).year  # wrong: may be None
print(db.get(Book, 1).title)  # wrong: may be None


class Wrong(Table):
    """Wrong declarations."""

    number: Col[int] = col(default="x")  # wrong: type of a default
    numbers: Col[list[int]] = []  # wrong: a plain default
