"""What one would write in an hour in place of Nola: FastAPI in front of one of the stores, as it comes."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, FastAPI, Response

from tests.bench.peers import stores

app = FastAPI()
store = getattr(stores, os.environ["PEER_STORE"])(Path(os.environ["PEER_DATA"]))
Json = Annotated[Any, Body()]


def as_json(text: str) -> Response:
    return Response(text, media_type="application/json")


@app.get("/state/{key}")
def get_key(key: str) -> Response:
    return as_json(store.get(key))


@app.get("/state/{key}/{leaf}")
def get_leaf(key: str, leaf: str) -> Response:
    return as_json(json.dumps(json.loads(store.get(key))[leaf]))


@app.put("/state/{key}")
def put_key(key: str, value: Json) -> None:
    store.put(key, json.dumps(value))


@app.put("/state/{key}/{leaf}")
def put_leaf(key: str, leaf: str, value: Json) -> None:
    store.change(key, lambda document: document | {leaf: value})


@app.patch("/state/{key}")
def patch_key(key: str, patch: Json) -> None:
    store.change(key, lambda document: document | patch)


@app.post("/messages/{session}")
def append(session: str, message: Json) -> None:
    store.append(session, message)


@app.get("/search")
def search(q: str) -> Response:
    return as_json(json.dumps(store.search(q)))
