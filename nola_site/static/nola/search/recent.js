// The last searches of one person in this browser.

const MOST = 8;

export class Recent {
  constructor(user) {
    this.name = `nola-searches-${user}`;
  }

  list() {
    try {
      const found = JSON.parse(localStorage.getItem(this.name));
      return Array.isArray(found) ? found.filter((one) => typeof one === "string").slice(0, MOST) : [];
    } catch {
      return []; // not to be read, or not ours
    }
  }

  add(text) {
    const asked = text.trim();
    if (asked) this.keep([asked, ...this.list().filter((one) => one !== asked)].slice(0, MOST));
  }

  clear() {
    this.keep([]);
  }

  keep(list) {
    try {
      if (list.length) localStorage.setItem(this.name, JSON.stringify(list));
      else localStorage.removeItem(this.name);
    } catch {
      // without room for it, nothing is remembered
    }
  }
}
