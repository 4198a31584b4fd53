# Drives the seed's Python clients: what its examples leave to the reader's application.
# usage: hitl_run.py <folder of the examples> client|flask|django <API key> <loop>
import datetime
import logging
import os
import sys
import types

folder, what, key, loop = sys.argv[1:5]


def load(name, **given):
    module = types.ModuleType(name)
    module.__dict__.update(given)
    with open(os.path.join(folder, name + ".py")) as source:
        exec(compile(source.read(), name + ".py", "exec"), module.__dict__)
    return module


def say(word):
    return lambda *given: print(word, given[0] if isinstance(given[0], str) else given[0].get("request_id"), flush=True)


class Ticking:
    """A clock on which thirty seconds are a fifth of one."""

    @staticmethod
    def sleep(_):
        import time
        time.sleep(0.2)


hitl = load(
    "hitl_client", API_KEY=key, logger=logging.getLogger("hitl"), time=Ticking,
    handle_approval=say("approved"), handle_rejection=say("rejected"), handle_modification_request=say("needs changes"),
    generate_webhook_secret=lambda: "your_webhook_secret",
)
content = types.SimpleNamespace(
    text="Is this comment fine?", ai_confidence=0.4, ai_flags=["insult"], risk_score=0.7, user_id="u1",
    created_at=datetime.datetime.now(datetime.timezone.utc),
)


def serve(app):
    from wsgiref.simple_server import make_server
    server = make_server("127.0.0.1", 0, app)
    url = f"http://127.0.0.1:{server.server_port}/webhooks/hitl"
    print("webhook", hitl.configure_webhook(loop, url), flush=True)
    return server


if what == "client":
    request_id = hitl.submit_content_for_review(content, loop)
    print("asked", request_id, flush=True)
    hitl.process_human_decision(request_id)
elif what == "flask":
    flask = load("hitl_flask", approve_content=say("approved"), reject_content=say("rejected"), handle_escalation=say("escalated"))
    server = serve(flask.app)
    print("asked", hitl.submit_content_for_review(content, loop), flush=True)
    server.handle_request()
elif what == "django":
    from django.conf import settings
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", HITL_API_KEY=key, SECRET_KEY="only-for-this-test", USE_TZ=True)
    import django
    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.urls import path
    from django.utils import timezone
    example = load("hitl_django", HITLClient=hitl.HITLClient, settings=settings, timezone=timezone)
    example.HITLService.process_completed_request = lambda self, data: print(data["decision"], data["request_id"], flush=True)
    urls = types.ModuleType("urls")
    urls.urlpatterns = [path("webhooks/hitl", example.hitl_webhook)]
    sys.modules["urls"] = urls
    server = serve(get_wsgi_application())
    print("asked", example.HITLService(key).submit_content_review("Is this comment fine?", 7), flush=True)
    server.handle_request()
