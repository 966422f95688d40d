"""Reading ``login`` of values.yaml, and the login service's own configuration, which has the same names."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final
from urllib.parse import quote

from practicus_mfa.core.login.access import AccessRule, clean_path
from practicus_mfa.core.login.address import IPNetwork
from practicus_mfa.core.login.config import LOOPBACK, OUTAGE_GRACE, Branding, LoginConfig
from practicus_mfa.core.parse.reader import Section
from practicus_mfa.core.parse.rules import settings_page
from practicus_mfa.faults import Fault, InvalidConfiguration

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_HOST: Final = re.compile(rf"(?P<name>{_LABEL}(?:\.{_LABEL})*)(?::[1-9][0-9]{{0,4}})?", re.ASCII)
_HOST_PATTERN: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NOT_IN_PATHS: Final = re.compile(r"[%?#*]")
_GROUP: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

LONGEST_OUTAGE_GRACE: Final = 300
LONGEST_NAME: Final = 100
_MOST_PORT: Final = 65_535

# Where it runs and how it is exposed: the chart's business.
_ELSEWHERE: Final = (
    "enabled",
    "replicas",
    "service",
    "ingress",
    "httpRoute",
    "traefikMiddleware",
    "autoscaling",
    "podDisruptionBudget",
    "topologySpreadConstraints",
    "resources",
    "serviceAccount",
    "terminationGracePeriodSeconds",
)


def login_config(tree: object, *, source: str = "login") -> LoginConfig:
    """Return *tree* (YAML values), found valid.

    Raises:
        InvalidConfiguration: With every fault.
    """
    faults: list[Fault] = []
    with Section(tree, "", faults) as login:
        login.leave(*_ELSEWHERE)
        host = _host(login)
        config = LoginConfig(
            host=host,
            cookie_domain=_cookie_domain(login, host),
            trusted_proxies=_networks(login),
            access=_rules(login),
            outage_grace_seconds=login.whole(
                "outageGraceSeconds", OUTAGE_GRACE, at_least=0, at_most=LONGEST_OUTAGE_GRACE
            ),
            branding=_branding(login.section("branding")),
            settings_page=settings_page(login),
        )
    if faults:
        raise InvalidConfiguration(faults, source=source)
    return config


def _host(login: Section) -> str:
    host = login.needed_text("host", "login.example.com").strip().lower()
    name, _, port = host.partition(":")
    if host and (not _HOST.fullmatch(host) or int(port or 0) > _MOST_PORT):
        login.fault("host", "not a host", "write a host as browsers know it, for example login.example.com")
    # Browsers leave the usual port out; an origin that names it would be another to us.
    usual = "80" if name in LOOPBACK else "443"
    return name if port == usual else host


def _cookie_domain(login: Section, host: str) -> str:
    # A leading dot is how older specifications wrote it (RFC 6265, section 5.2.3).
    domain = login.text("cookieDomain").strip().lower().removeprefix(".")
    name = host.partition(":")[0]
    if not domain:
        return ""
    if not _DOMAIN.fullmatch(domain) or domain.rpartition(".")[2].isdigit():
        login.fault("cookieDomain", "not a domain", "write a domain, for example example.com")
    elif name != domain and not name.endswith(f".{domain}"):
        remedy = "name a parent of the host: browsers refuse any other"
        login.fault("cookieDomain", f"{domain} is no parent of {name or 'the host'}", remedy)
    return domain


def _networks(login: Section) -> tuple[IPNetwork, ...]:
    found = []
    for index, text in enumerate(login.texts("trustedProxies")):
        at = f"trustedProxies[{index}]"
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            login.fault(at, "not a network", "write an address or a network, for example 10.0.0.0/8")
            continue
        if network.prefixlen == 0:
            login.fault(at, "everybody", "name the proxies: whoever is trusted can speak for any client")
        found.append(network)
    return tuple(found)


def _rules(login: Section) -> tuple[AccessRule, ...]:
    entries = list(login.entries("access"))
    rules = tuple(map(_rule, entries))
    for entry, rule in zip(entries[:-1], rules[:-1], strict=True):
        if not (rule.hosts or rule.paths or rule.groups):
            remedy = "name hosts, paths or groups, or put it last: the first rule that fits decides"
            login.fault(entry.path.removeprefix(login.at("")), "fits everything before its end", remedy)
    return rules


def _rule(section: Section) -> AccessRule:
    with section as entry:
        hosts = tuple(host.strip().lower() for host in entry.texts("hosts"))
        paths, groups = entry.texts("paths"), entry.texts("groups")
        for index, host in enumerate(hosts):
            if not _HOST_PATTERN.fullmatch(host):
                entry.fault(f"hosts[{index}]", "not a host", "write app.example.com or *.example.com")
        for index, path in enumerate(paths):
            if not _is_path(path):
                remedy = "write it decoded and from its root: /admin, or /admin/* for all below it"
                entry.fault(f"paths[{index}]", "not a path", remedy)
        for index, group in enumerate(groups):
            if not _GROUP.fullmatch(group):
                remedy = "a group's name has up to 64 letters, digits, dots, hyphens and underscores"
                entry.fault(f"groups[{index}]", "not a group's name", remedy)
        return AccessRule(hosts=hosts, paths=paths, groups=groups, deny=entry.switch("deny", False))


def _is_path(path: str) -> bool:
    plain = path.removesuffix("*")
    # Requests are compared decoded: "%" in a rule is most likely a path that was copied from a browser.
    if _NOT_IN_PATHS.search(plain) or (plain != path and not plain.endswith("/")):
        return False
    return clean_path(quote(plain, errors="surrogatepass")) == plain


def _branding(section: Section) -> Branding:
    with section as branding:
        title = _name(branding, "title", Branding().title)
        return Branding(
            title=title,
            issuer=_name(branding, "issuer", title),
            logo_url=_url(branding, "logoUrl"),
            help_text=branding.text("helpText"),
            help_url=_url(branding, "helpUrl"),
        )


def _name(branding: Section, name: str, default: str) -> str:
    text = branding.text(name).strip()
    if len(text) > LONGEST_NAME or not text.isprintable():
        branding.fault(name, "not a name", f"it has one line of at most {LONGEST_NAME} characters")
    return text or default


def _url(branding: Section, name: str) -> str:
    url = branding.text(name).strip()
    if url and not re.fullmatch(r"https?://[!-~]+|/[!-~]*|mailto:[!-~]+", url):
        branding.fault(name, "not an address", "write it whole, for example https://help.example.com/mfa")
    return url
