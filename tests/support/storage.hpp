// SPDX-License-Identifier: Apache-2.0
// A snapshot store with the few verbs that its tests need.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/storage/disk_snapshot_store.hpp"

namespace forkfleet::test {

inline constexpr uint64_t page = 4096;
inline constexpr uint64_t mib = 1u << 20;

/// A store in `path`, as a node has it. Opens again what lies there.
class store_world {
public:
  /// With the key of the one fleet that all worlds belong to.
  explicit store_world(const std::string& path, uint64_t memory_bytes = 5 * mib,
                       store_options options = {})
    : path_(path), memory_bytes_(memory_bytes), options_(std::move(options)) {
    start();
  }

  disk_snapshot_store& store() { return *store_; }
  disk_snapshot_store* operator->() { return store_.get(); }
  const std::string& path() const { return path_; }

  /// The node dies and starts again.
  void restart();

  staging_request request(const std::string& operation,
                          const std::string& tag) const;

  tl::expected<staging_ptr, staging_failure> stage(const std::string& operation,
                                                   const std::string& tag);

  /// Writes what a driver would: pages that `seed` chooses, and vmstate.
  void fill(staging_area& area, unsigned seed) const;

  expected<snapshot_info> seal(staging_area& area, const std::string& operation,
                               const std::string& tag,
                               const std::string& parent = "");

  /// A request for a diff over `base`, or for a clone of it.
  staging_request request_over(const std::string& operation,
                               const std::string& tag, const std::string& base,
                               memory_form form = memory_form::diff);

  /// All of a diff's storage: `change` writes to the sink what a driver
  /// would.
  expected<snapshot_info>
  branch_over(const staging_request& request,
              const std::function<void(memory_sink&)>& change);

  /// Reads a snapshot's memory as a child would: by its layout alone.
  std::vector<uint8_t> memory_of(const std::string& tag);

  /// All of a branch' storage, from stage to seal.
  expected<snapshot_info> branch(const std::string& operation,
                                 const std::string& tag, unsigned seed = 1,
                                 const std::string& parent = "");

  /// Gives the store another key, or none, from its next start on.
  void restart_with(signing_key_ptr key) {
    options_.key = std::move(key);
    is_without_key = options_.key == nullptr;
    restart();
  }

  /// What the sources of all that follows are limited to.
  sandbox_limits limits = {};

  std::vector<std::string> tags();
  std::vector<std::string> staged() const;

private:
  void start();

  bool is_without_key = false;
  std::string path_;
  uint64_t memory_bytes_;
  store_options options_;
  std::shared_ptr<disk_snapshot_store> store_;
};

/// What `fill` writes to vmstate.
std::string vmstate_text(unsigned seed);

} // namespace forkfleet::test
