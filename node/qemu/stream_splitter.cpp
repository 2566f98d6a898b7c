// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stream_splitter.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "node/qemu/stream_reader.hpp"

namespace forkfleet::qemu {

namespace {

// QEMU's migration/savevm.h and ram.c.
constexpr uint32_t file_magic = 0x5145564d;
constexpr uint32_t file_version = 3;
enum section_type : uint8_t {
  section_start = 0x01,
  section_part = 0x02,
  section_end = 0x03,
  section_full = 0x04,
  section_subsection = 0x05,
  section_configuration = 0x07,
  section_command = 0x08,
  section_footer = 0x7e,
};
constexpr uint64_t flag_zero = 0x02;
constexpr uint64_t flag_mem_size = 0x04;
constexpr uint64_t flag_page = 0x08;
constexpr uint64_t flag_end = 0x10;
constexpr uint64_t flag_continue = 0x20;
constexpr uint64_t flags_mask = page_bytes - 1;

constexpr std::size_t blocks_max = 4096;
constexpr uint32_t name_length_max = 255;

class splitter {
public:
  splitter(byte_source& source, split_sink& sink, const split_plan& plan)
    : in_{source}, sink_{sink}, plan_{plan} {}

  expected<split_result> run();

private:
  void header();
  void configuration();
  void subsection();
  bool section();
  void start();
  void block_list();
  void choose_memory_block();
  void part();
  void page(uint64_t record, std::string_view name);
  void memory_page(uint64_t address, bool is_zero);
  void footer(uint32_t id);
  void command();
  void rest();
  void keep_record();
  void drop_record();
  void keep(byte_view bytes);
  void check_complete();

  stream_reader in_;
  split_sink& sink_;
  const split_plan& plan_;
  split_result result_ = {};
  std::vector<uint8_t> record_ = {}; // consumed and not yet kept or dropped
  std::map<std::string, uint64_t, std::less<>> blocks_ = {};
  std::string block_ = {}; // of the page before
  uint32_t ram_section_ = 0;
  bool has_ram_ = false;
  std::vector<bool> seen_ = {};
  std::vector<bool> has_data_ = {};
};

expected<split_result> splitter::run() {
  if (plan_.memory_bytes == 0 || plan_.memory_bytes % page_bytes != 0)
    return fail(ec::unsupported, "guest memory is not a whole number of pages");
  in_.copy_to(&record_);
  header();
  while (in_.ok() && section())
    continue;
  check_complete();
  if (!in_.ok())
    return tl::unexpected(in_.error());
  return result_;
}

void splitter::header() {
  if (in_.be32() != file_magic || in_.be32() != file_version)
    in_.refuse("is not QEMU's version 3");
  keep_record();
}

// One section; false after the last one.
bool splitter::section() {
  const auto type = in_.u8();
  switch (type) {
    case section_configuration:
      configuration();
      return true;
    case section_subsection:
      subsection();
      return true;
    case section_start:
      start();
      return true;
    case section_part:
    case section_end:
      part();
      return true;
    case section_command:
      command();
      return true;
    case section_full:
      rest();
      return false;
    default:
      in_.refuse(fmt::format("unknown section type {:#04x}", type));
      return false;
  }
}

void splitter::configuration() {
  const auto length = in_.be32();
  if (length > name_length_max)
    in_.refuse("the machine's name is too long");
  else
    in_.take(length);
  keep_record();
}

// The subsections of the configuration, which precede all else.
void splitter::subsection() {
  const auto name = in_.text8();
  in_.be32(); // its version
  if (name == "configuration/capabilities") {
    const auto count = in_.be32();
    if (count > name_length_max)
      in_.refuse("too many capabilities");
    for (uint32_t i = 0; in_.ok() && i < count; ++i)
      in_.text8();
  } else if (name == "configuration/target-page-bits") {
    if (in_.be32() != 12)
      in_.refuse("pages are not of 4096 bytes");
  } else if (name == "configuration/uuid") {
    in_.take(16);
  } else {
    in_.refuse("unknown subsection " + name);
  }
  keep_record();
}

void splitter::start() {
  const auto id = in_.be32();
  const auto name = in_.text8();
  in_.be32(); // instance
  in_.be32(); // version
  if (name != "ram" || has_ram_) {
    in_.refuse("unknown iterable section " + name);
    return;
  }
  has_ram_ = true;
  ram_section_ = id;
  block_list();
  footer(id);
  choose_memory_block();
  keep_record();
}

void splitter::block_list() {
  const auto head = in_.be64();
  if ((head & flags_mask) != flag_mem_size)
    in_.refuse("memory does not begin with its size");
  auto left = head & ~flags_mask;
  while (in_.ok() && left > 0) {
    auto name = in_.text8();
    const auto size = in_.be64();
    if (size == 0 || size > left || blocks_.size() == blocks_max
        || !blocks_.emplace(name, size).second)
      in_.refuse("bad memory block " + name);
    left -= size;
  }
  if (in_.be64() != flag_end)
    in_.refuse("the list of memory blocks has no end");
}

void splitter::choose_memory_block() {
  if (!in_.ok())
    return;
  auto fits = [this](const auto& block) {
    return block.second == plan_.memory_bytes
           && (plan_.memory_block.empty() || block.first == plan_.memory_block);
  };
  if (std::count_if(blocks_.begin(), blocks_.end(), fits) != 1) {
    in_.refuse(fmt::format("guest memory ({} bytes) is not one block",
                           plan_.memory_bytes));
    return;
  }
  result_.memory_block =
    std::find_if(blocks_.begin(), blocks_.end(), fits)->first;
  seen_.resize(plan_.memory_bytes / page_bytes);
  has_data_.resize(seen_.size());
}

void splitter::part() {
  const auto id = in_.be32();
  if (!has_ram_ || id != ram_section_) {
    in_.refuse(fmt::format("part of an unknown section {}", id));
    return;
  }
  keep_record();
  while (in_.ok()) {
    const auto record = in_.be64();
    if (record == flag_end)
      break;
    if ((record & flag_continue) == 0)
      block_ = in_.text8();
    page(record, block_);
  }
  footer(id);
  keep_record();
}

void splitter::page(uint64_t record, std::string_view name) {
  const auto flags = record & flags_mask & ~flag_continue;
  const auto address = record & ~flags_mask;
  const auto block = blocks_.find(name);
  if (!in_.ok())
    return;
  if (flags != flag_zero && flags != flag_page)
    in_.refuse(fmt::format("unknown page flags {:#x}", flags));
  else if (block == blocks_.end() || address >= block->second)
    in_.refuse(fmt::format("page {:#x} lies outside its block", address));
  else if (name == result_.memory_block)
    memory_page(address, flags == flag_zero);
  else {
    if (flags == flag_page)
      in_.take(page_bytes);
    else if (in_.u8() != 0)
      in_.refuse("a filled page that is not zero");
    keep_record();
  }
}

void splitter::memory_page(uint64_t address, bool is_zero) {
  const auto index = static_cast<std::size_t>(address / page_bytes);
  drop_record();
  in_.copy_to(nullptr);
  status done = {};
  if (!is_zero) {
    const auto bytes = in_.take(page_bytes);
    if (in_.ok())
      done = sink_.data_page(address, bytes);
    ++result_.data_pages;
  } else if (in_.u8() != 0) {
    in_.refuse("a filled page that is not zero");
  } else {
    if (has_data_[index] || plan_.tells_zeros)
      done = sink_.zero_page(address);
    ++result_.zero_pages;
  }
  has_data_[index] = !is_zero;
  seen_[index] = true;
  in_.copy_to(&record_);
  if (!done)
    in_.stop(done.error());
}

void splitter::footer(uint32_t id) {
  if (in_.u8() != section_footer || in_.be32() != id)
    in_.refuse("a section has no footer");
}

void splitter::command() {
  in_.be16(); // which one
  in_.take(in_.be16());
  keep_record();
}

void splitter::rest() {
  keep_record();
  in_.copy_to(nullptr);
  while (in_.ok()) {
    const auto bytes = in_.take_some();
    if (bytes.empty())
      break;
    keep(bytes);
  }
}

void splitter::keep_record() {
  if (in_.ok())
    keep(record_);
  drop_record();
}

void splitter::drop_record() {
  record_.clear();
}

void splitter::keep(byte_view bytes) {
  result_.state_bytes += bytes.size();
  if (auto done = sink_.device_state(bytes); !done)
    in_.stop(done.error());
}

void splitter::check_complete() {
  if (in_.ok() && !has_ram_)
    in_.refuse("there is no guest memory in it");
  const auto missing = std::count(seen_.begin(), seen_.end(), false);
  if (missing > 0)
    in_.refuse(
      fmt::format("{} of {} pages are missing", missing, seen_.size()));
}

} // namespace

expected<split_result> split_stream(byte_source& source, split_sink& sink,
                                    const split_plan& plan) {
  return splitter{source, sink, plan}.run();
}

} // namespace forkfleet::qemu
