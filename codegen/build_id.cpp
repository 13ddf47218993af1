#include <lathe/codegen/build_id.h>

#include <elf.h>
#include <link.h>

#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lathe {
namespace {

using Bytes = std::span<const std::byte>;

/// The object of type T at an offset, if the bytes hold all of it.
template <class T>
std::optional<T> read_at(Bytes bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return out;
}

/// Looks through a segment of notes, each a head, a name and a description, padded to four bytes.
std::string id_in_notes(Bytes notes) {
  const auto padded = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
  constexpr std::array<char, 4> name = {'G', 'N', 'U', '\0'};
  while (const auto head = read_at<ElfW(Nhdr)>(notes, 0)) {
    const std::uint64_t description = sizeof(*head) + padded(head->n_namesz);
    const std::uint64_t end = description + padded(head->n_descsz);
    if (end > notes.size()) break;
    const bool is_gnu =
        head->n_namesz == name.size() && std::memcmp(notes.data() + sizeof(*head), name.data(), name.size()) == 0;
    if (is_gnu && head->n_type == NT_GNU_BUILD_ID) {
      const auto* first = reinterpret_cast<const unsigned char*>(notes.data() + description);
      return fmt::format("{:02x}", fmt::join(first, first + head->n_descsz, ""));
    }
    notes = notes.subspan(end);
  }
  return {};
}

struct Search {
  std::uintptr_t address;
  std::string id;
};

int search_object(dl_phdr_info* object, std::size_t, void* context) {
  auto& search = *static_cast<Search*>(context);
  const std::span headers(object->dlpi_phdr, object->dlpi_phnum);
  bool is_inside = false;
  for (const ElfW(Phdr) & header : headers) {
    const std::uintptr_t start = object->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && search.address >= start && search.address - start < header.p_memsz) {
      is_inside = true;
    }
  }
  if (!is_inside) return 0;
  for (const ElfW(Phdr) & header : headers) {
    if (header.p_type != PT_NOTE || !search.id.empty()) continue;
    const auto* notes = reinterpret_cast<const std::byte*>(object->dlpi_addr + header.p_vaddr);
    search.id = id_in_notes({notes, header.p_memsz});
  }
  return 1;
}

Bytes read(std::ifstream& file, std::uint64_t offset, std::uint64_t bytes, std::vector<std::byte>& into) {
  constexpr std::uint64_t most = 1 << 20;  // of what is read here no sound file has more
  if (bytes > most) return {};
  into.resize(bytes);
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(bytes))) return {};
  return into;
}

}  // namespace

std::string build_id(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> buffer;
  const auto elf = read_at<ElfW(Ehdr)>(read(file, 0, sizeof(ElfW(Ehdr)), buffer), 0);
  if (!elf || std::memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_phentsize != sizeof(ElfW(Phdr))) return {};
  std::vector<std::byte> table;
  const Bytes headers = read(file, elf->e_phoff, std::uint64_t{elf->e_phnum} * sizeof(ElfW(Phdr)), table);
  for (std::uint64_t at = 0; const auto header = read_at<ElfW(Phdr)>(headers, at); at += sizeof(ElfW(Phdr))) {
    if (header->p_type != PT_NOTE) continue;
    const std::string id = id_in_notes(read(file, header->p_offset, header->p_filesz, buffer));
    if (!id.empty()) return id;
  }
  return {};
}

std::string loaded_build_id(const void* address) {
  Search search{reinterpret_cast<std::uintptr_t>(address), {}};
  dl_iterate_phdr(search_object, &search);
  return search.id;
}

}  // namespace lathe
