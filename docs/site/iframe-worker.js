/* Browsers start no worker from a file. On a site that is opened as files, and not through a server, the
   search runs in a hidden frame instead, with the same messages; by the name IFrameWorker it knows. */
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const base = new URL(url, location.href)
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.waiting = []
      document.body.appendChild(this.frame)
      const inner = this.frame.contentWindow
      inner.document.open()
      inner.document.write("<!doctype html><html><body></body></html>")
      inner.document.close()
      inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      inner.importScripts = (...urls) =>
        urls.reduce(
          (before, each) =>
            before.then(
              () =>
                new Promise((resolve, reject) => {
                  const script = inner.document.createElement("script")
                  script.src = new URL(each, base).href
                  script.onload = resolve
                  script.onerror = () => reject(new Error(script.src))
                  inner.document.body.appendChild(script)
                })
            ),
          Promise.resolve()
        )
      inner.importScripts(base.href).then(() => {
        const waiting = this.waiting
        this.waiting = null
        waiting.forEach(data => this.postMessage(data))
      })
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data)
      else this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }))
    }
    terminate() {
      this.frame.remove()
    }
  }
}
