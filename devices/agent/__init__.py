"""The agent: what runs on a device. One zipapp, Python 3.7, standard library only.

A supervisor lives as long as the connection; each launch is a process of its own. Both speak the language of
docs/agent-protocol.md. LiteRT is found on the device and reached through its C API.
"""
