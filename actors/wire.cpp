// SPDX-License-Identifier: Apache-2.0
#include "actors/wire.hpp"

#include <caf/sec.hpp>

namespace forkfleet {

namespace {

failure from_system_error(const caf::error& x) {
  switch (static_cast<caf::sec>(x.code())) {
    case caf::sec::request_timeout:
      return {ec::deadline_exceeded, "no answer within the deadline"};
    case caf::sec::request_receiver_down:
    case caf::sec::cannot_connect_to_node:
    case caf::sec::no_route_to_receiving_node:
      return {ec::node_down, "the other side is gone"};
    default:
      return {ec::node_down, caf::to_string(static_cast<caf::sec>(x.code()))};
  }
}

} // namespace

failure from_caf_error(const caf::error& x) {
  if (!x)
    return {};
  if (x.category() == error_category) {
    auto message = std::string{};
    if (x.context().match_elements<std::string>())
      message = x.context().get_as<std::string>(0);
    return {static_cast<ec>(x.code()), std::move(message)};
  }
  if (x.category() == caf::atom("system"))
    return from_system_error(x);
  return {ec::node_down, "the other side ended"};
}

} // namespace forkfleet
