"""Forks and thread pools: the tree is kept, and no span is sent twice."""

from tests.processes import fresh
from tests.receivers import receiver


def test_a_forked_child_does_not_send_its_parents_spans_again():
    with receiver() as server:
        done = fresh(f"""
            import os
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("parent"):
                pass
            child = os.fork()
            if not child:
                print(shutdown_tracing(60))
                raise SystemExit
            os.waitpid(child, 0)
        """)

        assert done.stdout.strip() == "True", done.stderr
        assert len(server.spans) == 1


def test_a_childs_spans_hang_under_the_span_that_it_was_forked_in():
    with receiver() as server:
        done = fresh(f"""
            import os
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("p1"):
                child = os.fork()
                if not child:
                    with traced_task("t1", "writing"), traced_llm_call("m", "generate"):
                        pass
                    os._exit(0 if shutdown_tracing(60) else 1)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            print(shutdown_tracing(60))
        """)

        assert done.stdout.split() == ["0", "True"], done.stderr
        assert server.names == ["llm_call:generate", "run_project", "task:t1"]
        by_name = {span.name: span for span in server.spans}
        assert by_name["task:t1"].parent_span_id == by_name["run_project"].span_id
        assert by_name["llm_call:generate"].parent_span_id == by_name["task:t1"].span_id


def test_a_child_of_a_process_that_has_delivered_delivers_too():
    with receiver() as server:
        done = fresh(f"""
            import os
            from opentelemetry import trace
            configure_tracing(TracingConfig(enabled=True, otlp_endpoint="http://{server.endpoint}"))
            with traced_run("p1"):
                with traced_task("t1", "writing"):
                    pass
                trace.get_tracer_provider().force_flush()
                child = os.fork()
                with traced_task("t2" if child else "t3", "writing"):
                    pass
                if not child:
                    os._exit(0 if shutdown_tracing(60) else 1)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            print(shutdown_tracing(60))
        """)

        assert done.stdout.split() == ["0", "True"], done.stderr
        assert server.names == ["run_project", "task:t1", "task:t2", "task:t3"]
        assert len({span.span_id for span in server.spans}) == 4


def test_a_thread_pool_keeps_the_tree_when_it_is_handed_the_context():
    with receiver() as server:
        done = fresh(f"""
            from concurrent.futures import ThreadPoolExecutor
            from contextvars import copy_context
            configure_tracing(TracingConfig(
                enabled=True, otlp_endpoint="http://{server.endpoint}", flush_timeout_s=60
            ))

            def work(number):
                with traced_task(f"t{{number}}", "writing"), traced_llm_call("m", "generate"):
                    pass

            with ThreadPoolExecutor(4) as pool, traced_run("p1"):
                tasks = [pool.submit(copy_context().run, work, number) for number in range(100)]
                for task in tasks:
                    task.result()
        """)

        assert done.returncode == 0, done.stderr
        (root,) = [span for span in server.spans if span.name == "run_project"]
        tasks = {span.span_id: span for span in server.spans if span.name.startswith("task:")}
        calls = [span for span in server.spans if span.name.startswith("llm_call:")]
        assert {span.parent_span_id for span in tasks.values()} == {root.span_id}
        assert sorted(span.parent_span_id for span in calls) == sorted(tasks)
        assert len(tasks) == len(calls) == 100


def test_a_childs_console_shows_its_own_spans_alone():
    done = fresh("""
        import os
        configure_tracing(TracingConfig(enabled=True))
        with traced_run("p1"):
            with traced_task("t1", "writing"):
                pass
            child = os.fork()
            if not child:
                with traced_task("t2", "writing"):
                    pass
                shutdown_tracing()
                os._exit(0)
            os.waitpid(child, 0)
    """)

    of_child, _, of_parent = done.stderr.partition("run p1")
    assert ("task:t1" in of_child, "task:t2" in of_child) == (False, True)
    assert ("task:t1" in of_parent, "task:t2" in of_parent) == (True, False)
