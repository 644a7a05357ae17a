"""Views of a campaign: the document that scripts read, the page, the terminal's summary and the exports."""
