// SPDX-License-Identifier: Apache-2.0
// What the NODE tells the COORDINATOR, in pages that fit into a message.
#pragma once

#include <deque>
#include <string_view>

#include "actors/log.hpp"
#include "actors/page_cutter.hpp"
#include "node/node.hpp"

namespace forkfleet::uplink {

/// A page without entries, of this node.
inventory_page blank_page(node_pointer self);

/// All that this node holds, in pages; the last one is marked.
std::deque<uplink_state::item> full_inventory(node_pointer self);

/// Makes what is told of the thing `name` fit into a message. One that is too
/// big is logged, and has its texts cut. False: it cannot be told at all.
template <class Entry>
bool fits(node_pointer self, Entry& entry, std::string_view name) {
  const auto bytes = schema::wire_size(entry);
  const auto fit = make_fit(entry);
  if (fit != entry_fit::whole)
    log::error("entry.too_big", {{"host", self->state.settings.host},
                                 {"name", name},
                                 {"bytes", bytes},
                                 {"is_left_out", fit == entry_fit::none}});
  return fit != entry_fit::none;
}

} // namespace forkfleet::uplink
