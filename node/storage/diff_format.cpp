// SPDX-License-Identifier: Apache-2.0
#include "node/storage/diff_format.hpp"

#include <algorithm>

#include "node/storage/big_endian.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view head_text = "forkfleet diff 1\n";
constexpr std::string_view end_text = "forkfleet diff end\n";
constexpr std::size_t hash_bytes_count = std::tuple_size_v<sha256>;
constexpr std::size_t run_bytes = 3 * 8;
constexpr std::size_t counts_bytes = 2 * 8;
constexpr std::size_t base_at = head_text.size() + 8;

static_assert(diff_trailer_bytes
              == counts_bytes + 2 * hash_bytes_count + end_text.size());

tl::unexpected<failure> malformed(const std::string& path,
                                  const std::string& why) {
  return fail(ec::snapshot_corrupt, path + ": " + why);
}

bool is_whole_pages(uint64_t bytes) {
  return bytes % guest_page_bytes == 0;
}

bool starts_with(std::span<const uint8_t> bytes, std::string_view text) {
  return bytes.size() >= text.size()
         && std::equal(
           text.begin(), text.end(), bytes.begin(),
           [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

sha256 hash_at(std::span<const uint8_t> bytes, std::size_t at) {
  sha256 result{};
  const auto found = bytes.subspan(at, result.size());
  std::copy(found.begin(), found.end(), result.begin());
  return result;
}

void append_runs(std::vector<uint8_t>& to, std::span<const diff_run> runs) {
  for (const auto& run : runs) {
    append(to, run.address);
    append(to, run.bytes);
    append(to, run.offset);
  }
}

/// The last hash covers the header and all that `tail` holds before it.
expected<sha256> table_hash(std::span<const uint8_t> header,
                            std::span<const uint8_t> tail) {
  std::vector<uint8_t> all;
  all.reserve(header.size() + tail.size());
  append(all, header);
  append(all, tail);
  return hash_bytes(all);
}

/// Reads and checks the parts of one file's table.
class table_reader {
public:
  table_reader(std::span<const uint8_t> header, std::span<const uint8_t> tail,
               const diff_trailer& promised, const std::string& path)
    : header_{header}, tail_{tail}, promised_{promised}, path_{path} {}

  expected<diff_table> run() {
    auto done = read_header();
    if (done)
      done = check_hashes();
    if (done)
      done = read_runs();
    if (done)
      done = check_data();
    if (!done)
      return tl::unexpected<failure>(done.error());
    return std::move(table_);
  }

private:
  status read_header() {
    if (header_.size() != diff_header_bytes || !starts_with(header_, head_text))
      return malformed(path_, "does not begin as a memory.diff of version 1");
    table_.memory_bytes = number_at(header_, head_text.size());
    table_.base = hash_at(header_, base_at);
    table_.data_bytes = promised_.data_bytes;
    const auto rest = header_.subspan(base_at + hash_bytes_count);
    if (std::ranges::any_of(rest, [](uint8_t x) { return x != 0; }))
      return malformed(path_, "the header goes on where it should have ended");
    if (table_.memory_bytes == 0 || table_.memory_bytes > guest_memory_max
        || !is_whole_pages(table_.memory_bytes))
      return malformed(path_, "no guest has "
                                + std::to_string(table_.memory_bytes)
                                + " bytes of memory");
    return {};
  }

  std::size_t runs_at() const {
    return extent_count(promised_.data_bytes) * hash_bytes_count;
  }
  std::size_t trailer_at() const {
    return runs_at() + promised_.runs * run_bytes;
  }

  status check_hashes() {
    const auto hashes_at = trailer_at() + counts_bytes;
    const auto runs =
      hash_bytes(tail_.subspan(runs_at(), trailer_at() - runs_at()));
    const auto all =
      table_hash(header_, tail_.first(hashes_at + hash_bytes_count));
    if (!runs || !all)
      return tl::unexpected<failure>(runs ? all.error() : runs.error());
    if (*all != hash_at(tail_, hashes_at + hash_bytes_count))
      return malformed(path_, "header, digests, runs and trailer are not what "
                              "was written");
    if (*runs != hash_at(tail_, hashes_at))
      return malformed(path_, "the runs do not have their hash");
    return {};
  }

  status read_runs() {
    for (std::size_t at = 0; at < runs_at(); at += hash_bytes_count)
      table_.digests.push_back(hash_at(tail_, at));
    table_.runs.reserve(promised_.runs);
    for (auto at = runs_at(); at < trailer_at(); at += run_bytes) {
      const diff_run run{number_at(tail_, at), number_at(tail_, at + 8),
                         number_at(tail_, at + 16)};
      if (const char* const fault = fault_of(run); fault != nullptr)
        return malformed(path_, "run " + std::to_string(table_.runs.size())
                                  + " at address " + std::to_string(run.address)
                                  + " " + fault);
      table_.runs.push_back(run);
    }
    return {};
  }

  /// What is wrong with the run after those that were read; or nullptr.
  const char* fault_of(const diff_run& run) const {
    if (!is_whole_pages(run.address) || !is_whole_pages(run.bytes)
        || !is_whole_pages(run.offset))
      return "is not made of whole pages";
    if (run.bytes == 0)
      return "is empty";
    if (run.address > table_.memory_bytes
        || run.bytes > table_.memory_bytes - run.address)
      return "ends outside of the memory";
    const auto data_end = diff_data_offset + table_.data_bytes;
    if (run.offset > data_end
        || (!run.is_zeros() && run.bytes > data_end - run.offset))
      return "ends outside of the data";
    if (table_.runs.empty())
      return nullptr;
    const auto& last = table_.runs.back();
    if (run.address < last.end())
      return "does not lie behind the one before";
    const bool goes_on = run.is_zeros() ? last.is_zeros()
                                        : last.offset + last.bytes == run.offset
                                            && !last.is_zeros();
    if (run.address == last.end() && goes_on)
      return "is a part of the one before";
    return nullptr;
  }

  /// Every page of data belongs to one run.
  status check_data() const {
    std::vector<diff_run> packed;
    std::ranges::copy_if(table_.runs, std::back_inserter(packed),
                         [](const auto& x) { return !x.is_zeros(); });
    std::ranges::sort(packed, {}, &diff_run::offset);
    auto at = diff_data_offset;
    for (const auto& run : packed) {
      if (run.offset != at)
        return malformed(path_, "the data from byte " + std::to_string(at)
                                  + " on does not belong to exactly one run");
      at += run.bytes;
    }
    if (at != diff_data_offset + table_.data_bytes)
      return malformed(path_, "the data from byte " + std::to_string(at)
                                + " on belongs to no run");
    return {};
  }

  std::span<const uint8_t> header_;
  std::span<const uint8_t> tail_;
  const diff_trailer& promised_;
  const std::string& path_;
  diff_table table_ = {};
};

} // namespace

std::vector<uint8_t> diff_header(const diff_table& table) {
  std::vector<uint8_t> result;
  result.reserve(diff_header_bytes);
  append(result, head_text);
  append(result, table.memory_bytes);
  append(result, table.base);
  result.resize(diff_header_bytes);
  return result;
}

expected<sha256> runs_hash_of(std::span<const diff_run> runs) {
  std::vector<uint8_t> bytes;
  bytes.reserve(runs.size() * run_bytes);
  append_runs(bytes, runs);
  return hash_bytes(bytes);
}

expected<std::vector<uint8_t>> diff_tail(const diff_table& table) {
  std::vector<uint8_t> result;
  result.reserve(table.digests.size() * hash_bytes_count
                 + table.runs.size() * run_bytes + diff_trailer_bytes);
  for (const auto& digest : table.digests)
    append(result, digest);
  append_runs(result, table.runs);
  append(result, table.data_bytes);
  append(result, table.runs.size());
  const auto runs = runs_hash_of(table.runs);
  if (!runs)
    return tl::unexpected<failure>(runs.error());
  append(result, *runs);
  const auto all = table_hash(diff_header(table), result);
  if (!all)
    return tl::unexpected<failure>(all.error());
  append(result, *all);
  append(result, end_text);
  return result;
}

uint64_t diff_file_bytes(uint64_t data_bytes, uint64_t runs) {
  return diff_header_bytes + data_bytes
         + extent_count(data_bytes) * hash_bytes_count + runs * run_bytes
         + diff_trailer_bytes;
}

expected<diff_trailer> read_diff_trailer(std::span<const uint8_t> trailer,
                                         uint64_t file_bytes,
                                         const std::string& path) {
  if (trailer.size() != diff_trailer_bytes
      || !starts_with(trailer.last(end_text.size()), end_text))
    return malformed(path, "does not end as a memory.diff does");
  const diff_trailer result{number_at(trailer, 0), number_at(trailer, 8)};
  if (result.data_bytes > guest_memory_max || !is_whole_pages(result.data_bytes)
      || result.runs > diff_runs_max
      || diff_file_bytes(result.data_bytes, result.runs) != file_bytes)
    return malformed(
      path, "its " + std::to_string(file_bytes) + " bytes do not hold "
              + std::to_string(result.data_bytes) + " bytes of data and "
              + std::to_string(result.runs) + " runs");
  return result;
}

expected<diff_table> read_diff_table(std::span<const uint8_t> header,
                                     std::span<const uint8_t> tail,
                                     const diff_trailer& promised,
                                     const std::string& path) {
  return table_reader{header, tail, promised, path}.run();
}

} // namespace forkfleet
