// SPDX-License-Identifier: Apache-2.0
#include "node/uplink_pages.hpp"

#include <utility>
#include <vector>

namespace forkfleet::uplink {

namespace {

constexpr std::size_t entries_per_page = 40;

/// Fills pages with all that a node holds.
class inventory_pages {
public:
  explicit inventory_pages(node_pointer self) : self_(self) { begin(); }

  void add(sandbox_info entry) {
    if (fits(self_, entry, entry.id.value))
      page_for(entry).sandboxes.push_back(std::move(entry));
  }
  void add(snapshot_info entry) {
    if (fits(self_, entry, entry.tag.value))
      page_for(entry).snapshots.push_back(std::move(entry));
  }
  void add(operation_status entry) {
    if (fits(self_, entry, entry.operation.value))
      page_for(entry).operations.push_back(std::move(entry));
  }

  /// The last one is marked.
  std::deque<uplink_state::item> take() {
    pages_.back().last = true;
    return {pages_.begin(), pages_.end()};
  }

private:
  void begin() {
    pages_.push_back(blank_page(self_));
    pages_.back().whole = true;
    cutter_.begin();
  }

  template <class Entry>
  inventory_page& page_for(const Entry& entry) {
    if (!cutter_.take(entry)) {
      begin();
      cutter_.take(entry);
    }
    return pages_.back();
  }

  node_pointer self_;
  page_cutter cutter_{entries_per_page};
  std::vector<inventory_page> pages_ = {};
};

} // namespace

inventory_page blank_page(node_pointer self) {
  return {.host = self->state.settings.host,
          .incarnation = self->state.settings.incarnation,
          .life = self->state.settings.life};
}

std::deque<uplink_state::item> full_inventory(node_pointer self) {
  auto pages = inventory_pages{self};
  for (const auto& [id, managed] : self->state.sandboxes)
    pages.add(managed.info);
  for (const auto& [tag, info] : self->state.snapshots)
    pages.add(info);
  for (const auto& known : self->state.operations.list())
    pages.add(known);
  return pages.take();
}

} // namespace forkfleet::uplink
