"""Files for whoever looks after many sites: agents, alert rules, dashboards, tables of an order desk. Data, no code.

Prometheus and its like, Grafana and PostgreSQL read them.
"""

from pathlib import Path

FILES = {
    "agent.yml": "on a site: a Prometheus agent that scrapes `watch --listen` and sends to the centre",
    "central.yml": "in the centre: a Prometheus that receives",
    "rules.yml": "in the centre: what is recorded, and the alerts",
    "rules_test.yml": "`promtool test rules rules_test.yml` tries the alerts out",
    "dashboard-fleet.json": "Grafana: all sites",
    "dashboard-site.json": "Grafana: one site",
    "orders.sql": "PostgreSQL: reports of an order desk, with three questions",
}
"Name -> what it is for, as a person reads it."


def content(name: str) -> str:
    """What stands in one of FILES."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
