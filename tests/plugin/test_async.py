"""Asynchronous tests: the tree over `gather`, and a clean start under every runner."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from opentelemetry import trace

from pytest_otel_spans import SpanCapture

TRACER = trace.get_tracer("tests.async")


async def task(name: str) -> None:
    with TRACER.start_as_current_span(f"task:{name}"):
        await asyncio.sleep(0)
        TRACER.start_span("call").end()


async def test_gathered_tasks_keep_their_parents(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        await asyncio.gather(*map(task, "abc"))

    assert spans.all("/ run / task:* / call").count == 3
    assert [node.name for node in spans.one("run").children] == ["task:a", "task:b", "task:c"]


async def test_a_thread_of_asyncio_keeps_the_parent(spans: SpanCapture) -> None:
    with TRACER.start_as_current_span("run"):
        await asyncio.to_thread(lambda: TRACER.start_span("in a thread").end())

    assert spans.one("run / in a thread").thread != spans.one("run").thread


async def test_an_executor_without_context_makes_a_root(spans: SpanCapture) -> None:
    loop = asyncio.get_running_loop()
    with TRACER.start_as_current_span("run"):
        await loop.run_in_executor(None, lambda: TRACER.start_span("lost").end())

    assert [root.name for root in spans.roots] == ["run", "lost"]


async def test_a_task_that_is_cancelled_ends_its_span(spans: SpanCapture) -> None:
    async def hang() -> None:
        with TRACER.start_as_current_span("hang"):
            await asyncio.Event().wait()

    hanging = asyncio.create_task(hang())
    await asyncio.sleep(0)
    hanging.cancel()
    await asyncio.wait([hanging])

    assert spans.one("hang").ended


async def test_a_generator_that_is_left_open_shows_as_unfinished(spans: SpanCapture) -> None:
    async def stream() -> AsyncGenerator[int, None]:
        with TRACER.start_as_current_span("stream"):
            yield 1
            yield 2

    chunks = stream()
    assert await anext(chunks) == 1
    unfinished = [node.name for node in spans.unfinished]
    await chunks.aclose()

    assert unfinished == ["stream"]


@pytest.fixture
async def served(spans: SpanCapture) -> SpanCapture:
    """Open a span in an asynchronous fixture."""
    await task("fixture")
    return spans


async def test_an_asynchronous_fixture_is_captured(served: SpanCapture) -> None:
    await task("body")

    assert [root.name for root in served.roots] == ["task:fixture", "task:body"]


# Both runners, with a plugin that keeps a span open around every test and every fixture


TESTS = """
    import asyncio
    import pytest
    {imports}
    from opentelemetry import trace

    tracer = trace.get_tracer("app")
    {marks}

    async def work(name):
        with tracer.start_as_current_span(name):
            await asyncio.sleep(0)
            tracer.start_span("inner").end()

    {fixture}(scope="module"{loop})
    async def server():
        with tracer.start_as_current_span("server"):  # current as long as the module runs
            yield

    {fixture}
    async def client(spans):
        await work("client")
        yield

    @pytest.mark.parametrize("n", range(3))
    async def test_a_body_starts_without_a_current_span(server, spans, n):
        assert not trace.get_current_span().get_span_context().is_valid
        await asyncio.gather(work(f"a{{n}}"), work(f"b{{n}}"))
        assert [root.name for root in spans.roots] == [f"a{{n}}", f"b{{n}}"]
        assert spans.all("/ * / inner").count == 2
        assert spans.orphans == ()

    async def test_a_fixture_is_captured(server, client, spans):
        await work("body")
        assert {{"client", "body", "inner"}} == {{node.name for node in spans.forest.nodes}}

    late = []

    async def test_a_task_outlives_its_test(server, spans):
        go_on = asyncio.Event()

        async def linger():
            await go_on.wait()
            await work("lingered")

        late.extend([spans, go_on, asyncio.create_task(linger())])

    async def test_b_does_not_get_what_it_opens(server, spans):
        capture, go_on, task = late
        go_on.set()
        await task
        spans.assert_empty()
        assert capture.one("lingered / inner")
"""


@pytest.mark.parametrize(
    ("runner", "options", "words"),
    [
        pytest.param(
            "asyncio",
            [
                "-o",
                "asyncio_default_fixture_loop_scope=module",
                "-o",
                "asyncio_default_test_loop_scope=module",
            ],
            {
                "imports": "import pytest_asyncio",
                "marks": "pytestmark = pytest.mark.asyncio",
                "fixture": "@pytest_asyncio.fixture",
                "loop": ', loop_scope="module"',
            },
            id="pytest-asyncio",
        ),
        pytest.param(
            "anyio",
            [],
            {
                "imports": "",
                "marks": "pytestmark = [pytest.mark.anyio,"
                ' pytest.mark.parametrize("anyio_backend", ["asyncio"], scope="module")]',
                "fixture": "@pytest.fixture",
                "loop": "",
            },
            id="anyio",
        ),
    ],
)
@pytest.mark.usefixtures("plugin_that_traces")
def test_a_runner_gives_every_test_its_own_spans(
    pytester: pytest.Pytester,
    run: Callable[..., pytest.RunResult],
    runner: str,
    options: list[str],
    words: dict[str, str],
) -> None:
    pytester.makepyfile(TESTS.format(**words))

    result = run(*options, plugins=[runner])

    result.assert_outcomes(passed=6)
