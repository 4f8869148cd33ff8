"""The vendor's contract, as far as the sandbox's answers need it.

`contract.json` is made by `extract.py` from the vendor's swagger document.
"""
