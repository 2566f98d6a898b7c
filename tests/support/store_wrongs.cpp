// SPDX-License-Identifier: Apache-2.0
#include "tests/support/store_wrongs.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "node/storage/file.hpp"
#include "tests/support/store_life.hpp"

namespace forkfleet::test {

namespace fs = std::filesystem;

namespace {

using names = std::set<std::string>;

/// What a life had told, by the numbers of its branches.
struct promises {
  std::map<std::string, std::string> roots = {}; // by tag
  std::set<std::string> going = {};              // a removal had begun
  std::set<std::string> gone = {};
  std::set<std::string> flat = {};
  std::set<unsigned> exported = {};
  unsigned last = 0;

  explicit promises(const std::vector<std::string>& told) {
    for (const auto& line : told) {
      std::istringstream words{line};
      std::string verb, number, root;
      words >> verb >> number >> root;
      const auto tag = "snap-" + number;
      if (verb == "sealed")
        roots[tag] = root;
      else if (verb == "copied")
        roots["copy-" + number] = root;
      else if (verb == "removing")
        going.insert(tag);
      else if (verb == "removed")
        gone.insert(tag);
      else if (verb == "flattened")
        flat.insert(tag);
      else if (verb == "exported")
        exported.insert(number_of({tag}));
      last = std::max(last, number_of({tag}));
    }
  }
};

class inspection {
public:
  inspection(const std::string& path, const std::vector<std::string>& told)
    : life_{path}, promised_{told} {}

  std::vector<std::string> run() {
    if (auto opened = life_.open(); !opened) {
      wrong("it does not open: " + to_string(opened.error()));
      return wrongs_;
    }
    look_at_store();
    look_at_promises();
    look_at_journal();
    look_at_files();
    look_at_archives();
    branch_on();
    start_again();
    return wrongs_;
  }

private:
  void wrong(const std::string& text) { wrongs_.push_back(text); }

  void must(const std::string& what, const status& done) {
    if (!done)
      wrong(what + ": " + to_string(done.error()));
  }

  /// Whole, readable, and of its number's memory.
  void look_at(const snapshot_info& info) {
    const auto& name = info.tag.value;
    const auto checked = life_.store().verify(info.tag, {});
    must("verify " + name, checked.map([](const verify_result&) {}));
    const auto image = life_.store().image(info.tag);
    if (!image)
      return must("read " + name, tl::unexpected(image.error()));
    std::vector<uint8_t> memory((*image)->bytes());
    must("read " + name, (*image)->read(0, memory));
    if (memory != memory_of(number_of(info.tag)))
      wrong(name + " holds another memory");
    if (life_.store().find_base(info.root_hash, info.tag).root_hash
        != info.root_hash)
      wrong("the root of " + name + " is not found");
    const auto files = life_.store().open(info.tag);
    if (!files)
      return must("open " + name, tl::unexpected(files.error()));
    const auto vmstate = read_small_file(files->vmstate_path);
    if (!vmstate
        || *vmstate != "vmstate " + std::to_string(number_of(info.tag)))
      wrong(name + " has another vmstate");
    look_at_disks(info, files->disks);
  }

  /// Those of its number, whole: the newest layer last, over older ones.
  void look_at_disks(const snapshot_info& info,
                     const std::vector<frozen_disk>& disks) {
    const auto& name = info.tag.value;
    const auto number = number_of(info.tag);
    if (disks.size() != (has_layer(number) ? 1u : 0u))
      return wrong(name + " has " + std::to_string(disks.size()) + " disks");
    for (const auto& disk : disks) {
      unsigned next = number;
      for (std::size_t i = disk.layers.size(); i-- > 0;) {
        const auto bytes = read_small_file(disk.layers[i]);
        while (next > 0 && !(has_layer(next) && bytes == layer_of(next)))
          --next;
        const bool is_newest = i + 1 == disk.layers.size();
        if (next == 0 || (is_newest && next != number))
          return wrong(disk.layers[i] + " holds another layer");
        --next;
      }
      if (disk.layers.empty())
        wrong(name + " has a disk without a layer");
    }
  }

  void look_at_store() {
    for (const auto& problem : life_.store().problems())
      wrong("problem: " + problem);
    for (const auto& info : life_.store().list()) {
      seen_[info.tag.value] = info;
      look_at(info);
      if (!info.base.empty() && !has(info.base.value))
        wrong(info.tag.value + " lacks its base");
    }
  }

  bool has(const std::string& tag) {
    const auto list = life_.store().list();
    return std::any_of(list.begin(), list.end(),
                       [&tag](const auto& x) { return x.tag.value == tag; });
  }

  void look_at_promises() {
    for (const auto& [tag, root] : promised_.roots) {
      const auto found = seen_.find(tag);
      if (found == seen_.end()) {
        if (promised_.going.count(tag) == 0)
          wrong(tag + " was promised and is not there");
        continue;
      }
      if (found->second.root_hash != root)
        wrong(tag + " is another than was promised");
      if (promised_.gone.count(tag) != 0)
        wrong(tag + " was removed and is there");
      if (promised_.flat.count(tag) != 0 && found->second.depth != 0)
        wrong(tag + " was flattened and is a diff");
    }
  }

  /// Every operation has its ending, and it fits what is there.
  void look_at_journal() {
    std::vector<std::string> problems;
    for (const auto& entry : life_.journal().load(problems)) {
      const auto& tag = entry.request.tag.value;
      const auto found = seen_.find(tag);
      const bool is_there = found != seen_.end();
      if (!entry.ended)
        wrong(tag + " has no ending");
      else if (is_there && entry.report.outcome)
        wrong(tag + " is there, its ending is "
              + to_string(entry.report.outcome));
      else if (is_there && entry.report.root_hash != found->second.root_hash)
        wrong(tag + " is there, its ending tells of another");
      else if (!is_there && !entry.report.outcome
               && promised_.going.count(tag) == 0)
        wrong(tag + " is not there, its ending says success");
      entries_.insert(entry.request.operation.value);
    }
    for (const auto& problem : problems)
      wrong("journal: " + problem);
    for (const auto& [tag, info] : seen_)
      if (tag.starts_with("snap-") && entries_.count(info.operation.value) == 0)
        wrong(tag + " is there, the journal knows nothing of it");
  }

  static names names_in(const std::string& path) {
    names result;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{path, error})
      result.insert(entry.path().filename().string());
    return result;
  }

  void must_be(const std::string& where, const names& allowed) {
    for (const auto& name : names_in(where))
      if (allowed.count(name) == 0)
        wrong("nobody owns " + where + "/" + name);
  }

  /// All that may be there, by name.
  void look_at_files() {
    const auto& home = life_.path();
    must_be(home, {"lock", "incarnation", "snapshots", "staging", "operations",
                   "sandboxes"});
    must_be(home + "/staging", {});
    must_be(home + "/sandboxes", {"source"});
    names operations;
    names run_files{"sandbox.json"};
    for (const auto& entry : entries_) {
      operations.insert(entry + ".json");
      // The guest's, as long as its sandbox is there: its disk goes on in it.
      if (const auto number = number_of({entry}); has_layer(number))
        run_files.insert(layer_name_of(number));
    }
    must_be(home + "/sandboxes/source", run_files);
    must_be(home + "/operations", operations);
    names tags;
    for (const auto& [tag, info] : seen_)
      tags.insert(tag);
    must_be(home + "/snapshots", tags);
    const std::vector<names> shapes = {
      {"manifest.json", "memory.bin", "vmstate"},
      {"manifest.json", "memory.diff", "vmstate"},
      {"flat.json", "manifest.json", "memory.bin", "vmstate"}};
    for (const auto& tag : tags) {
      auto found = names_in(home + "/snapshots/" + tag);
      // So many layers as its manifest says, one by one, and no more.
      if (const auto files = life_.store().open({tag}))
        for (const auto& disk : files->disks)
          for (const auto& layer : disk.layers)
            found.erase(fs::path{layer}.filename().string());
      if (std::find(shapes.begin(), shapes.end(), found) == shapes.end()) {
        std::string all;
        for (const auto& name : found)
          all += " " + name;
        wrong(tag + " is made of" + all);
      }
    }
  }

  /// An archive under its name is a whole one.
  void look_at_archives() {
    for (unsigned number = 1; number <= promised_.last; ++number) {
      const auto archive = life_.archive_of(number);
      if (!path_exists(archive)) {
        if (promised_.exported.count(number) != 0)
          wrong(archive + " was promised and is not there");
        continue;
      }
      const auto tag = "again-" + std::to_string(number);
      const auto made = life_.store().import_from(archive, {tag}, {},
                                                  {.accept_unsigned = true});
      must("import " + archive, made.map([](const archive_result&) {}));
      if (made) {
        look_at(made->info);
        must("remove " + tag, life_.store().remove({tag}));
      }
    }
  }

  /// The guest branches on, on what there is and from the beginning.
  void branch_on() {
    const auto next = promised_.last + 100;
    must("record", life_.record());
    must("next diff", life_.branch(next, memory_form::diff));
    must("next full", life_.branch(next + 1, memory_form::flat));
    for (const auto& info : life_.store().list())
      if (number_of(info.tag) >= next)
        look_at(info);
  }

  /// What is listed, without what counts from each start.
  std::vector<snapshot_info> lasting() {
    auto result = life_.store().list();
    for (auto& info : result)
      info.revision = 0;
    return result;
  }

  void start_again() {
    const auto before = lasting();
    life_.close();
    must("second start", life_.open());
    if (lasting() != before)
      wrong("a second start finds something else");
    for (const auto& problem : life_.store().problems())
      wrong("problem at the second start: " + problem);
  }

  store_life life_;
  promises promised_;
  std::map<std::string, snapshot_info> seen_ = {};
  std::set<std::string> entries_ = {};
  std::vector<std::string> wrongs_ = {};
};

} // namespace

std::vector<std::string> wrongs_after(const std::string& path,
                                      const std::vector<std::string>& told) {
  return inspection{path, told}.run();
}

} // namespace forkfleet::test
