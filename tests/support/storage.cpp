// SPDX-License-Identifier: Apache-2.0
#include "tests/support/storage.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"

namespace forkfleet::test {

namespace {

/// More than any test writes, as a real request has it.
constexpr uint64_t vmstate_guess = 2 * mib;

} // namespace

std::string vmstate_text(unsigned seed) {
  return "vmstate of " + std::to_string(seed);
}

void store_world::start() {
  auto data = data_directory::open(path_);
  REQUIRE(data);
  auto store = disk_snapshot_store::open_in(*data, {"host-1"});
  REQUIRE(store);
  store_ = *store;
}

void store_world::restart() {
  store_.reset();
  start();
}

staging_request store_world::request(const std::string& operation,
                                     const std::string& tag) const {
  return {.operation = {operation},
          .tag = {tag},
          .memory_bytes = memory_bytes_,
          .vmstate_bytes = vmstate_guess};
}

tl::expected<staging_ptr, staging_failure>
store_world::stage(const std::string& operation, const std::string& tag) {
  return store_->stage(request(operation, tag));
}

void store_world::fill(staging_area& area, unsigned seed) const {
  std::mt19937 dice{seed};
  for (uint64_t at = 0; at < memory_bytes_; at += page)
    if (dice() % 4 == 0) {
      const std::vector<uint8_t> bytes(page,
                                       static_cast<uint8_t>(1 + dice() % 255));
      REQUIRE(area.memory().write(at, bytes));
    }
  REQUIRE(write_at(area.vmstate_fd(), vmstate_text(seed), 0, "vmstate"));
}

expected<snapshot_info> store_world::seal(staging_area& area,
                                          const std::string& operation,
                                          const std::string& tag,
                                          const std::string& parent) {
  const auto vmstate = file_size(area.vmstate_fd(), "vmstate");
  REQUIRE(vmstate);
  return store_->seal({.operation = {operation},
                       .tag = {tag},
                       .source = {"sandbox-1"},
                       .parent = {parent},
                       .method = "by hand",
                       .memory_bytes = memory_bytes_,
                       .vmstate_bytes = *vmstate,
                       .contract = {.driver = "simulated", .vcpus = 1}},
                      area);
}

expected<snapshot_info> store_world::branch(const std::string& operation,
                                            const std::string& tag,
                                            unsigned seed,
                                            const std::string& parent) {
  auto area = stage(operation, tag);
  if (!area)
    return tl::unexpected<failure>(area.error().error);
  fill(**area, seed);
  return seal(**area, operation, tag, parent);
}

std::vector<std::string> store_world::tags() {
  std::vector<std::string> result;
  for (const auto& info : store_->list())
    result.push_back(info.tag.value);
  return result;
}

std::vector<std::string> store_world::staged() const {
  return list_directory(path_ + "/staging")
    .value_or(std::vector<std::string>{"?"});
}

} // namespace forkfleet::test
