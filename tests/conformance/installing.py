"""Pipelines whose steps install packages when they start, as the SDK makes them unless it is told otherwise."""

# No `from __future__ import annotations`: the SDK reads the annotations of components as objects.
from kfp import dsl


@dsl.component
def greet(name: str) -> str:
    return f"Hello, {name}!"


@dsl.component(base_image="localhost:5001/components:1")
def hear(greeting: str) -> None:
    assert greeting == "Hello, you!", greeting


@dsl.component(
    packages_to_install=["no-such-package>=1"], pip_index_urls=["http://127.0.0.1:9/simple"], pip_trusted_hosts=[]
)
def use() -> None:
    pass


@dsl.pipeline(name="first-example")
def first_example(name: str = "you") -> str:
    greeting = greet(name=name).output
    hear(greeting=greeting)
    return greeting


@dsl.pipeline(name="package-that-is-not-there")
def missing_package():
    use().set_env_variable("PIP_RETRIES", "0")
