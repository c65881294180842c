"""Traces told in a few words, and what is drawn of them."""

from orchestrator.waterfall import SpanRecord, draw, traces_of

MS = 1_000_000


class Story:
    """Builds the spans of a run, in milliseconds."""

    def __init__(self):
        self.spans: list[SpanRecord] = []

    def span(self, name, start, end, parent=None, *, failed=False, events=(), **said):
        record = SpanRecord(
            id=len(self.spans) + 1,
            parent_id=parent,
            name=name,
            start_ns=start * MS,
            end_ns=end * MS,
            attributes={key.replace("__", "."): value for key, value in said.items()},
            failed=failed,
            events=events,
        )
        self.spans.append(record)
        return record.id

    def call(self, stage, start, end, parent, *, model="gpt", cost=0.001, **said):
        said = {"model": model, "tokens_in": 100, "tokens_out": 20, "cost_usd": cost} | said
        return self.span(f"llm_call:{stage}", start, end, parent, **said)

    @property
    def trace(self):
        (trace,) = traces_of(self.spans)
        return trace

    def text(self, width=100, rows=64):
        return [
            "".join(part.text for part in line).rstrip() for line in draw(self.trace, width, rows)
        ]

    def tree(self, width=100):
        """The lines between the headline and the rankings."""
        lines = [*self.text(width), ""]
        start = lines.index("") + 1
        return lines[start : lines.index("", start)]

    def line(self, start, width=100):
        (found,) = [line for line in self.tree(width) if line.lstrip("│├└ ").startswith(start)]
        return found


def failing_over() -> Story:
    """Planning, then a short task beside a long one that fails over to another model."""
    told = Story()
    root = told.span("run_project", 0, 10_000, status="SUCCESS", project_id="demo")
    plan = told.span("decompose", 0, 1000, root)
    told.call("decompose", 0, 1000, plan, cost=0.02)
    short = told.span("task:t1", 1000, 3000, root, task_type="writing")
    told.call("generate", 1000, 3000, short)
    long = told.span("task:t2", 1000, 10_000, root, task_type="reasoning")
    told.call("generate", 1000, 8000, long, events=("orchestrator.retry",) * 2)
    told.call("critique", 8000, 8500, long, failed=True, error__type="timeout")
    saved = told.span("remediation", 8500, 9800, long, strategy="fallback_model", success=True)
    told.call("critique", 8500, 9800, saved, model="claude", orchestrator__fallback__from="gpt")
    return told


def priced() -> Story:
    """Two iterations of a task by models with names of the usual length."""
    told = Story()
    root = told.span("run_project", 0, 800, project_id="demo", status="SUCCESS")
    task = told.span("task:t1", 0, 800, root, task_type="code_generation")
    for number, (stage, model) in enumerate(
        [("generate", "gpt-6.1-terra"), ("critique", "claude-opus-4.5")] * 2
    ):
        told.call(
            stage,
            number * 200,
            number * 200 + 200,
            task,
            model=model,
            cost=0.01 * (number + 1),
            orchestrator__iteration=number // 2 + 1,
        )
    return told
