"""The write-ahead log: files of frames, each file naming its predecessor.

`frame`: one commit as bytes. `header`: the head of a file and the chain. `reader`: frames up to the first break, and
whether a later frame proves that the break is damage. `writer`: the end of the live log.
"""
