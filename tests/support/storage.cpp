// SPDX-License-Identifier: Apache-2.0
#include "tests/support/storage.hpp"

#include <fcntl.h>
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

/// One fleet's, as all its nodes have it.
static signing_key_ptr key_of_fleet() {
  static const auto key = signing_key::make();
  REQUIRE(key);
  return *key;
}

void store_world::start() {
  if (options_.key == nullptr && !is_without_key)
    options_.key = key_of_fleet();
  auto data = data_directory::open(path_);
  REQUIRE(data);
  auto store = disk_snapshot_store::open_in(*data, {"host-1"}, options_);
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
                       .contract = {.driver = "simulated", .vcpus = 1},
                       .limits = limits},
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

staging_request store_world::request_over(const std::string& operation,
                                          const std::string& tag,
                                          const std::string& base,
                                          memory_form form) {
  auto result = request(operation, tag);
  result.form = form;
  result.base = {base};
  for (const auto& info : store_->list())
    if (info.tag == result.base)
      result.base_hash = info.root_hash;
  result.expected_bytes = 16 * page;
  return result;
}

expected<snapshot_info>
store_world::branch_over(const staging_request& request,
                         const std::function<void(memory_sink&)>& change) {
  auto area = store_->stage(request);
  if (!area)
    return tl::unexpected<failure>(area.error().error);
  change((*area)->memory());
  REQUIRE(write_at((*area)->vmstate_fd(), request.tag.value, 0, "vmstate"));
  return seal(**area, request.operation.value, request.tag.value);
}

std::vector<uint8_t> store_world::memory_of(const std::string& tag) {
  const auto files = store_->open({tag});
  REQUIRE(files);
  const auto& layout = files->memory;
  std::vector<uint8_t> result(layout.bytes);
  for (const auto& segment : layout.segments) {
    if (!segment.file)
      continue;
    const auto& path = layout.files[*segment.file];
    const auto fd = open_file(path, O_RDONLY);
    REQUIRE(fd);
    REQUIRE(read_at(fd->get(),
                    std::span{result}.subspan(segment.address, segment.bytes),
                    segment.offset, path));
  }
  return result;
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
