"""The application of the integration tests' workers; pytest-celery fills in imports, name and configuration."""

from celery import Celery

from monitor import install

imports = None

app = Celery("celery_test_app")
config = None

if config:
    app.config_from_object(config)

install(app)
