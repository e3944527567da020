"""What several kinds of tests share: the model that is the truth, and options that make everything small."""
