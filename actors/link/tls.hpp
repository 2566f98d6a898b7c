// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with both sides authenticated, and who the other side then is.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "actors/certificate.hpp"
#include "actors/error.hpp"
#include "actors/link/access_list.hpp"
#include "actors/link/asio.hpp"
#include "actors/link/content_check.hpp"
#include "actors/link/endpoint.hpp"

namespace forkfleet {

using tls_context = std::shared_ptr<asio::ssl::context>;

/// For connections that we accept, or that we dial. The files are read now;
/// invalid_request names the one that is at fault, also for a key that others
/// than its owner can read. Who is in `denied`, or has a certificate that is
/// none of ours, is refused within the handshake, so that he is told;
/// `denied` outlives the context.
expected<tls_context> make_server_context(const tls_material& files,
                                          const access_list& denied);
expected<tls_context> make_client_context(const tls_material& files);

/// Makes the handshake of `connection` fail unless the other side's
/// certificate names `host`, a name or an address.
status require_host(SSL* connection, const std::string& host);

/// What the other side's certificate says, after a handshake; nothing when
/// there is none.
certificate_facts facts_of(const SSL* connection);

/// Its common name; empty when there is none.
std::string identity_of(const SSL* connection);

/// The role that an identity gives: "node:<host>" and "client:<name>" with
/// safe names, "coordinator". not_permitted for all else.
expected<peer_role> role_of(std::string_view identity);

/// Whether an error of a connection means that TLS was refused, by us or by
/// the other side, rather than that the connection was lost.
bool is_tls_refusal(const error_code& x);

/// What a failed handshake failed of, for people: "certificate has expired".
std::string handshake_problem(SSL* connection, const error_code& x);

/// What an error of a connection means, for people: what TLS calls a
/// truncated stream was closed by the other side.
std::string link_problem(const error_code& x);

} // namespace forkfleet
