"""What this site is, where its prices come from and how they are treated, help, and who runs it."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from settings import VERSION
from stations.brands import list_brand_sources
from ui.formats import escape, format_instant
from ui.freshness import get_shown_freshness
from ui.reading import get_settings, open_reading
from ui.texts import _

FEED_PAGE = "https://www.prix-carburants.gouv.fr/rubrique/opendata/"
LICENCE_PAGE = "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"
BRAND_LIST_PAGE = "https://github.com/Aohzan/hass-prixcarburant"
APACHE_PAGE = "https://www.apache.org/licenses/LICENSE-2.0"
OSM_PAGE = "https://www.openstreetmap.org/copyright"
ODBL_PAGE = "https://opendatacommons.org/licenses/odbl/"


def write_brand_source(kind: str) -> str:
    if kind == "openstreetmap":
        return _("Brands: © [OpenStreetMap contributors]({osm}), [ODbL]({licence}).").format(
            osm=OSM_PAGE, licence=ODBL_PAGE
        )
    return _("Brands: the list of [prix_carburant]({page}), [Apache License 2.0]({licence}).").format(
        page=BRAND_LIST_PAGE, licence=APACHE_PAGE
    )


freshness = get_shown_freshness()
with open_reading() as connection:
    brand_sources = list_brand_sources(connection)

st.title(_("About Carburoam"), anchor=False)
st.markdown(
    _(
        "Carburoam shows what fuel costs at the filling stations of France, the cheapest first. It is free, shows no "
        "advertising, and asks nothing of you."
    )
)

st.header(_("Where the prices come from"), anchor=False)
st.markdown(
    _(
        "Every station in France has to report its prices to the Ministry of the Economy, which publishes them as "
        "[open data]({feed}) and refreshes them every ten minutes. The stations answer for what they report."
    ).format(feed=FEED_PAGE)
)
source = _(
    "Source: Ministère de l'Économie, “Prix des carburants en France”, [Licence Ouverte 2.0]({licence})."
).format(licence=LICENCE_PAGE)
if freshness is None:
    st.info(source)
elif freshness.is_sample:
    st.info(source + "  \n" + _("Until the feed can be reached, invented stations and prices are shown instead."))
else:
    updated_at = freshness.newest_report_at or freshness.loaded_at
    st.info(source + "  \n" + _("Last update of the data: {instant}.").format(instant=format_instant(updated_at)))
if brand_sources:
    lines = [write_brand_source(kind) for kind in dict.fromkeys(source.kind for source in brand_sources)]
    loaded_at = max(source.loaded_at for source in brand_sources)
    st.info("  \n".join([*lines, _("Loaded {instant}.").format(instant=format_instant(loaded_at))]))

st.header(_("How prices are treated"), anchor=False)
st.markdown(
    "\n".join(
        f"- {text}"
        for text in (
            _("**Median**: half of the stations ask less, half ask more. Differences are to the median around you."),
            _(
                "**Old prices** were reported more than 30 days ago (E85 and GPLc: 90 days). They stand after the "
                "others, are never the cheapest, and count in no median."
            ),
            _(
                "**Implausible prices** stand far apart from all others of their fuel in the country, or are less than "
                "half or more than twice the median: most are typing errors, so they come last and count in no figure."
            ),
            _(
                "**Stock-outs** are those that stations report. Such a station stands after those that can sell to "
                "you; one that ran out more than 90 days ago, and may have forgotten to say that it sells again, last."
            ),
            _("**Opening hours** are those that stations report. Public holidays are not in them."),
            _("**Distances** are as the crow flies."),
        )
    )
)

st.header(_("Help"), anchor=False)
for question, answer in (
    (
        _("How do I find the cheapest station?"),
        _(
            "Type a town, a postcode or its first digits, or press “Near me”. Choose your fuel and how far you want to "
            "go. The list and the map show the same stations; click one to see all about it."
        ),
    ),
    (
        _("Can I keep or share a search?"),
        _("Yes: the whole search is in the address of the page. Keep it as a bookmark, or send it to somebody."),
    ),
    (
        _("The price at the pump is another one. Why?"),
        _(
            "Stations report each change themselves, some of them late. Next to each price you see when it was "
            "reported. You can tell the authorities of a wrong price on [the official site]({feed})."
        ).format(feed="https://www.prix-carburants.gouv.fr/"),
    ),
    (
        _("What happens with my position?"),
        _(
            "Your browser asks you first. The position is rounded to about a hundred metres, used to search, and "
            "stored nowhere but in the address of your page."
        ),
    ),
):
    with st.expander(question):
        st.markdown(answer)

st.header(_("Legal notice"), anchor=False)
contact = get_settings().contact
st.markdown(
    _("This site is run by {contact}.").format(contact=escape(contact))
    if contact
    else _("Who runs this site has not said so yet (setting CARBUROAM_CONTACT).")
)
st.markdown(
    _(
        "The prices are the stations' own; nobody here can answer for them. Without an account the site sets "
        "no cookie but one that protects your downloads and codes (`_streamlit_xsrf`); with one, another keeps you "
        "logged in. It counts or follows nobody."
    )
)
if tiles := get_settings().map_tiles:
    st.markdown(
        _("Your browser fetches the details of the maps from {host}.").format(host=escape(urlsplit(tiles).netloc))
    )
st.markdown(
    _(
        "Base map: © [OpenStreetMap contributors]({osm}) (ODbL), Natural Earth, GeoNames (CC BY 4.0), INSEE (Licence "
        "Ouverte). Program: Carburoam {version}, MIT licence."
    ).format(osm=OSM_PAGE, version=VERSION)
)
