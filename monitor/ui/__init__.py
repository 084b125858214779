"""What the pages share: words and colours, the frame around each page, the operator's gate, the board component.

The only part of the package that knows Streamlit. Draws; decides nothing; reads through views, acts through commands.
"""
