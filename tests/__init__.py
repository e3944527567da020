"""The tests of the project; the folders mirror the packages, and `house` holds the rules of the tree itself."""
