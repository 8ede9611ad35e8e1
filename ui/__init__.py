"""What the pages share; the only part of the program, with pages/ and app.py, that knows Streamlit."""
