"""Builds panels and the dashboard with Grafana's SDK; the only module that imports it."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"

Steps = dict[float, str]
"""Threshold colours by lower bound."""


def query(expression: str, legend: str, *, newest: bool = False, buckets: bool = False) -> prometheus.Dataquery:
    """Make a Prometheus query. newest: instant query. buckets: of a histogram."""
    target = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE)
    target = target.instant() if newest else target.range()
    return target.format(PromQueryFormat.HEATMAP) if buckets else target


def number(title: str, about: str, unit: str, *queries: prometheus.Dataquery, steps: Steps | None = None) -> stat.Panel:
    """Make a stat panel: one number, coloured by thresholds."""
    return (
        _begin(stat.Panel(), title, about, unit, queries)
        .height(4)
        .span(3)
        .thresholds(_steps(steps))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def words(title: str, about: str, *queries: prometheus.Dataquery) -> stat.Panel:
    """Make a stat panel with the labels of info metrics (always 1)."""
    return (
        _begin(stat.Panel(), title, about, "none", queries)
        .height(4)
        .span(6)
        .thresholds(_steps(None))
        .text_mode(common.BigValueTextMode.NAME)
        .color_mode(common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .orientation(common.VizOrientation.HORIZONTAL)
    )


def curves(
    title: str,
    about: str,
    unit: str,
    *queries: prometheus.Dataquery,
    stacked: bool = False,
    bars: bool = False,
    steps: Steps | None = None,
    right: tuple[str, str] | None = None,
) -> timeseries.Panel:
    """Make a time series panel. steps: thresholds, drawn as lines. right: (regex of legends, unit) of a right axis."""
    panel = _begin(timeseries.Panel(), title, about, unit, queries).height(7).span(8).min(0).thresholds(_steps(steps))
    panel = panel.fill_opacity(60 if stacked or bars else 8).line_width(1).show_points(common.VisibilityMode.NEVER)
    panel = panel.legend(_legend()).tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    if stacked:
        panel = panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if bars:
        panel = panel.draw_style(common.GraphDrawStyle.BARS)
    if steps:
        panel = panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    if right:
        on_the_right = {"unit": right[1], "custom.axisPlacement": "right", "custom.fillOpacity": 0}
        panel = panel.override_by_regexp(right[0], [models.DynamicConfigValue(*pair) for pair in on_the_right.items()])
    return panel


def spread(title: str, about: str, unit: str, *queries: prometheus.Dataquery) -> heatmap.Panel:
    """Make a heatmap panel of histogram buckets over time."""
    return (
        _begin(heatmap.Panel(), title, about, unit, queries)
        .height(7)
        .span(8)
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().scheme("Turbo").steps(64))
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .cell_gap(0)
        .show_legend()
    )


def states(title: str, about: str, names: dict[int, tuple[str, str]], *queries: prometheus.Dataquery) -> statetimeline.Panel:
    """Make a state timeline panel. names: text and colour of each value."""
    options = {
        str(value): models.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(names.items())
    }
    return (
        _begin(statetimeline.Panel(), title, about, "none", queries)
        .height(7)
        .span(8)
        .mappings([models.ValueMap(options=options)])
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(True)
        .fill_opacity(80)
        .row_height(0.8)
        .legend(_legend())
    )


def board(title: str, uid: str, about: str, rows: dict[str, list[Any]], links: dict[str, str]) -> models.Dashboard:
    """Make the dashboard: rows of panels, variables of the queries, links."""
    dashboard = builders.Dashboard(title).uid(uid).description(about).tags(["remi-stream"]).refresh("10s").time("now-15m", "now")
    dashboard = dashboard.timezone("browser").editable().tooltip(models.DashboardCursorSync.CROSSHAIR)
    for variable in _variables():
        dashboard = dashboard.with_variable(variable)
    for name, url in links.items():
        dashboard = dashboard.link(builders.DashboardLink(name).type(models.DashboardLinkType.LINK).url(url).target_blank(True))
    for name, panels in rows.items():
        dashboard = dashboard.with_row(builders.Row(name))
        for panel in panels:
            dashboard = dashboard.with_panel(panel)
    finished = dashboard.build()
    for index, panel in enumerate(finished.panels or [], start=1):
        panel.id_val = index
    return finished


def _variables() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    cameras = _labels("camera", "Camera", 'label_values(remi_camera_state{instance="$instance"}, camera)')
    return [
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _labels("instance", "Daemon", "label_values(remi_build_info, instance)"),
        cameras.multi(True).include_all(True),
    ]


def _labels(name: str, label: str, expression: str) -> builders.QueryVariable:
    variable = builders.QueryVariable(name).label(label).query({"query": expression, "refId": name}).datasource(SOURCE)
    return variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)


def _begin(panel: Any, title: str, about: str, unit: str, queries: tuple[prometheus.Dataquery, ...]) -> Any:
    panel = panel.title(title).description(about).unit(unit).datasource(SOURCE)
    for letter, each in zip("ABCDEFGH", queries):
        panel = panel.with_target(each.ref_id(letter))
    return panel


def _steps(steps: Steps | None) -> builders.ThresholdsConfig:
    thresholds = [models.Threshold(value=value, color=color) for value, color in (steps or {}).items()]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([models.Threshold(color=GREEN), *thresholds])


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    return legend.placement(common.LegendPlacement.BOTTOM)
