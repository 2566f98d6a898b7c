// SPDX-License-Identifier: Apache-2.0
#include "actors/link/farewell.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t shown_identity_max = 256;

} // namespace

failure refusal_of(frame_fault fault, std::string_view identity) {
  const auto who = std::string{identity.substr(0, shown_identity_max)};
  const auto name = std::string{schema::name_of(fault)};
  switch (fault) {
    case frame_fault::no_place:
      return {ec::node_busy, "no place is left for " + who
                               + "; end other programs of its, or try later"};
    case frame_fault::foreign_host:
      return {ec::not_permitted,
              name + ": " + who
                + " speaks for its own host alone; start this program with the "
                  "certificate of the host that it speaks for"};
    case frame_fault::forbidden_content:
      return {ec::not_permitted,
              name + ": " + who
                + " may not send this message; a node needs the certificate "
                  "of its host, and a tool that of a client"};
    default:
      return {ec::not_permitted, "a frame that may not pass: " + name};
  }
}

std::string make_farewell(const frame_header& asked, const failure& why) {
  return make_error_frame(asked, static_cast<uint8_t>(why.code), why.message);
}

} // namespace forkfleet
