"""Adapters, one module for each host. A module can be imported only where its host is installed.

=================  =========================================================================
module             what it does
=================  =========================================================================
``.openai``        an HTTP transport for OpenAI clients: chat completions and responses
``.langchain``     agent middleware and a chat model around another
``.pipecat``       wraps an LLM service of a pipeline
``.livekit``       a mix-in for agents, at their ``llm_node``
``.fastapi``       ASGI middleware for FastAPI, Starlette and others
``.logging``       a handler's filter and a formatter; one way
``.structlog``     a processor; one way
``.pandas``        columns of data frames
``.polars``        columns of data frames
=================  =========================================================================

Arrow tables and record batches are in :mod:`masker.arrow`, the shapes of Presidio in :mod:`masker.presidio`.
"""
