"""LTI 1.3, the tool's side: a learning platform's people come in by a launch, and what they earn goes back as scores.

The class's server mounts `handlers.routes(find)`. What a `tool.Tool` needs from outside stands in `ports`: a store, a
clock, an HTTP client; there is no database here. Messages are JSON Web Tokens, by joserfc.

Standards, all by 1EdTech: LTI Core 1.3 and its Security Framework 1.0 (`login`, `launch`, `keys`, `access`), Deep
Linking 2.0, Names and Role Provisioning Services 2.0 (`members`), Assignment and Grade Services 2.0 (`scores`), LTI
Dynamic Registration 1.0 (`dynamic`).
"""
