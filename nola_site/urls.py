from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from conversations.pages import context, imports, names, search
from nola_site.api import api
from nola_site.mcp import http as mcp
from nola_site.pages import connect, forget, home
from nola_site.serving import health
from state.pages import activity, proposals, restore, tree, tree_past

admin.autodiscover()
admin.site.index_title = "Overview"

urlpatterns = [
    path("api/", api.urls),  # first: they are tried one by one, and agents call it all the time
    path("mcp", mcp.answer, name="mcp"),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/state/tree/", admin.site.admin_view(tree.show_tree), name="tree"),
    path("admin/state/tree/find", admin.site.admin_view(tree.find_nodes), name="tree-find"),
    path("admin/state/tree/moments", admin.site.admin_view(tree_past.list_moments), name="tree-moments"),
    path("admin/state/tree/sizes", admin.site.admin_view(tree_past.measure_sizes), name="tree-sizes"),
    path("admin/activity/", admin.site.admin_view(activity.show_activity), name="activity"),
    path("admin/activity/<int:seq>/", admin.site.admin_view(activity.show_change), name="change"),
    path("admin/state/revision/", activity.lead_to_activity),  # its address in earlier releases
    path("admin/state/revision/<int:seq>/<path:rest>", activity.lead_to_activity),
    path("admin/proposals/", include((proposals.list_urls(), "proposals"))),
    path("admin/checkpoints/", include((restore.list_urls(), "checkpoints"))),
    path("admin/conversations/import/", include((imports.list_urls(), "imports"))),
    path("admin/conversations/names/", admin.site.admin_view(names.read_names), name="conversation-names"),
    path("admin/context/", admin.site.admin_view(context.show_page), name="context"),
    path("admin/search/", admin.site.admin_view(search.show_search), name="search"),
    path("admin/search/hits", admin.site.admin_view(search.show_hits), name="search-hits"),
    path("admin/forget/", admin.site.admin_view(forget.show_page), name="forget"),
    path("admin/connect/", admin.site.admin_view(connect.show_connect), name="connect"),
    path("admin/connect/callers", admin.site.admin_view(connect.list_callers), name="connect-callers"),
    path("admin/latest/", admin.site.admin_view(home.show_latest), name="latest"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
