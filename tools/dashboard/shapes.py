"""The kinds of panels that the dashboard has, made with Grafana's own builders. The only file that knows these."""

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
"""The colour from a value on."""


def query(expression: str, legend: str, *, newest: bool = False, buckets: bool = False) -> prometheus.Dataquery:
    """A question to Prometheus. newest: only its value now. buckets: of a histogram."""
    made = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE)
    made = made.instant() if newest else made.range()
    return made.format(PromQueryFormat.HEATMAP) if buckets else made


def number(title: str, about: str, unit: str, *queries: prometheus.Dataquery, steps: Steps | None = None) -> stat.Panel:
    """One number, coloured by its steps."""
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
    """The labels of metrics that are always 1."""
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
    """Values over time, from 0 on. steps: limits, drawn as lines. right: (legends that match, unit) on an axis of their own."""
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
    """How often each bucket of a histogram is met, over time."""
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
    """Which state something was in, when. names: of each value, with its colour."""
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
    """The dashboard: rows of panels, the variables that its queries use, links to pages."""
    made = builders.Dashboard(title).uid(uid).description(about).tags(["remi-stream"]).refresh("10s").time("now-15m", "now")
    made = made.timezone("browser").editable().tooltip(models.DashboardCursorSync.CROSSHAIR)
    for variable in _variables():
        made = made.with_variable(variable)
    for name, url in links.items():
        made = made.link(builders.DashboardLink(name).type(models.DashboardLinkType.LINK).url(url).target_blank(True))
    for name, panels in rows.items():
        made = made.with_row(builders.Row(name))
        for panel in panels:
            made = made.with_panel(panel)
    finished = made.build()
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


def _labels(name: str, label: str, asked: str) -> builders.QueryVariable:
    made = builders.QueryVariable(name).label(label).query({"query": asked, "refId": name}).datasource(SOURCE)
    return made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)


def _begin(panel: Any, title: str, about: str, unit: str, queries: tuple[prometheus.Dataquery, ...]) -> Any:
    panel = panel.title(title).description(about).unit(unit).datasource(SOURCE)
    for letter, each in zip("ABCDEFGH", queries):
        panel = panel.with_target(each.ref_id(letter))
    return panel


def _steps(steps: Steps | None) -> builders.ThresholdsConfig:
    made = [models.Threshold(value=value, color=color) for value, color in (steps or {}).items()]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([models.Threshold(color=GREEN), *made])


def _legend() -> common_builders.VizLegendOptions:
    made = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    return made.placement(common.LegendPlacement.BOTTOM)
