// pm2 start counted/ecosystem.config.js
// What pm2 has started becomes gunicorn: its stop, reload and memory limit reach it.
module.exports = {
  apps: [
    {
      name: "small-server",
      cwd: `${__dirname}/..`,
      script: "omp-magic",
      args: "run --workers 2 -- gunicorn --workers 2 --bind 127.0.0.1:8000 wsgi:app",
      interpreter: "none",
    },
  ],
};
